/**
 * What is used of Grafana's dashboard model (grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model),
 * schema version 39: Grafana 10.4 and newer.
 */
export type Unit = 'short' | 's' | 'percentunit' | 'cps' | 'pps' | 'bytes' | 'Bps';

export interface Query {
  readonly expr: string;
  /** `{{label}}` stands for a label's value. */
  readonly legend: string;
}

/** Green below the first value. */
export interface Threshold {
  readonly from: number;
  readonly color: 'yellow' | 'orange' | 'red' | 'green';
}

export interface Panel {
  readonly title: string;
  /** For whoever has not read the source: what is seen, and what to make of it. */
  readonly description: string;
  readonly kind: 'timeseries' | 'stat' | 'state-timeline' | 'table';
  readonly unit: Unit;
  readonly queries: readonly Query[];
  readonly thresholds?: readonly Threshold[];
  /** Values as words. */
  readonly words?: Readonly<Record<string, { readonly text: string; readonly color: string }>>;
  /** Of 24. */
  readonly width: number;
  readonly stack?: boolean;
}

export interface Mark {
  readonly name: string;
  readonly color: string;
  /** Its value is the time to mark, in milliseconds. */
  readonly expr: string;
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly query: string;
  readonly several: boolean;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
  readonly marks?: readonly Mark[];
  readonly from: string;
}

const SOURCE = { type: 'prometheus', uid: '${datasource}' } as const;
const HEIGHT = { timeseries: 8, stat: 4, 'state-timeline': 6, table: 8 } as const;

/** As Grafana imports it. */
export function toJson(dashboard: Dashboard): string {
  const { uid, title, description, from } = dashboard;
  const model = {
    uid,
    title,
    description,
    tags: ['dom0-director'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from, to: 'now' },
    timezone: 'browser',
    links: [
      {
        type: 'dashboards',
        title: 'Dom0 Director',
        tags: ['dom0-director'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: (dashboard.marks ?? []).map(annotation) },
    templating: { list: [datasource(), ...dashboard.variables.map(variable)] },
    panels: panels(dashboard),
  };
  return `${JSON.stringify(model, null, 2)}\n`;
}

function datasource(): object {
  return { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' };
}

function variable({ name, label, query, several }: Variable): object {
  const all = several
    ? { includeAll: true, multi: true, allValue: '.*', current: { text: 'All', value: '$__all' } }
    : {};
  return {
    name,
    label,
    type: 'query',
    datasource: SOURCE,
    query,
    definition: query,
    refresh: 2,
    sort: 1,
    ...all,
  };
}

function annotation({ name, color, expr }: Mark): object {
  const look = { iconColor: color, enable: true, hide: false, titleFormat: name };
  return { name, datasource: SOURCE, expr, useValueForTime: 'on', step: '15s', ...look };
}

function panels({ rows }: Dashboard): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const { title, panels: own } of rows) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: 24, h: 1 },
      panels: [],
    });
    let [x, height] = [0, 0];
    for (const one of own) {
      if (x + one.width > 24) [x, y, height] = [0, y + height, 0];
      placed.push(panel(one, placed.length + 1, { x, y, w: one.width, h: HEIGHT[one.kind] }));
      x += one.width;
      height = Math.max(height, HEIGHT[one.kind]);
    }
    y += height;
  }
  return placed;
}

function panel({ title, description, kind, queries, ...rest }: Panel, id: number, gridPos: object): object {
  return {
    id,
    type: kind,
    title,
    description,
    datasource: SOURCE,
    gridPos,
    targets: queries.map(({ expr, legend }, n) => ({
      refId: String.fromCharCode(65 + n),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
      ...(kind === 'table' ? { format: 'table', instant: true } : { range: true }),
    })),
    fieldConfig: { defaults: fields(kind, rest), overrides: [] },
    options: OPTIONS[kind],
    ...(kind === 'table' ? { transformations: [{ id: 'merge', options: {} }] } : {}),
  };
}

const OPTIONS = {
  timeseries: {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: {
    colorMode: 'background_solid',
    graphMode: 'none',
    textMode: 'value_and_name',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  },
  'state-timeline': {
    showValue: 'never',
    mergeValues: true,
    rowHeight: 0.8,
    legend: { showLegend: true, displayMode: 'list', placement: 'bottom' },
  },
  table: { showHeader: true },
} as const;

function fields(
  kind: Panel['kind'],
  { unit, thresholds = [], words, stack = false }: Partial<Panel>,
): object {
  const lines =
    kind === 'timeseries'
      ? {
          custom: {
            lineWidth: 1,
            fillOpacity: stack ? 30 : 8,
            showPoints: 'never',
            stacking: { mode: stack ? 'normal' : 'none', group: 'A' },
            thresholdsStyle: { mode: thresholds.length > 0 ? 'dashed' : 'off' },
          },
          min: 0,
        }
      : {};
  return {
    unit,
    ...lines,
    color: { mode: kind === 'timeseries' ? 'palette-classic' : 'thresholds' },
    mappings: words === undefined ? [] : [{ type: 'value', options: words }],
    thresholds: {
      mode: 'absolute',
      steps: [
        { color: 'green', value: null },
        ...thresholds.map(({ from, color }) => ({ color, value: from })),
      ],
    },
  };
}
