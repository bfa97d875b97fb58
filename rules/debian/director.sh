#!/bin/sh
exec /usr/lib/dom0-director/bin/node /usr/lib/dom0-director/dist/main.js "$@"
