/** The Dom0's own address, where the page is served with TLS, to everybody in the lab. */
export const ORIGIN = 'https://192.0.2.1:8440';
