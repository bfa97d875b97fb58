/** The way of the data: a folder imports only from those to its left. main.ts alone knows them all. */
const order = [
  ['lib'],
  ['model', 'capacity'],
  ['config', 'plan', 'guest'],
  ['render'],
  ['kernel', 'store', 'health', 'xen'],
  ['meter', 'stage'],
  ['reconcile', 'doctor'],
  ['switchover'],
  ['metrics', 'api'],
];
const left = (i) => order.slice(0, i).flat();
const core = order.flatMap((names, i) =>
  names.map((name) => ({
    name: `${name}-imports-only-from-its-left`,
    severity: 'error',
    from: { path: `^src/${name}/` },
    to: { path: '^src/', pathNot: `^src/(${[name, ...left(i)].join('|')})/` },
  })),
);
const clients = ['cli', 'web'].map((name) => ({
  name: `${name}-is-a-client-of-the-contract`,
  severity: 'error',
  from: { path: `^src/${name}/` },
  to: { path: '^src/', pathNot: `^src/(${name}/|lib/|capacity/|api/contract)` },
}));

module.exports = {
  forbidden: [
    ...core,
    ...clients,
    {
      name: 'lab-is-a-client-too',
      severity: 'error',
      comment: 'the lab starts the same daemon as production, by its command line',
      from: { path: '^src/lab/' },
      to: { path: '^src/', pathNot: '^src/(lab/|lib/|cli/|api/contract)' },
    },
    {
      name: 'nobody-imports-main',
      severity: 'error',
      from: { pathNot: '^src/main\\.ts$' },
      to: { path: '^src/main\\.ts$' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'pure-core',
      severity: 'error',
      comment: 'model, capacity, plan and render know no I/O and no clock',
      from: { path: '^src/(model|capacity|plan|render)/' },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js'] },
  },
};
