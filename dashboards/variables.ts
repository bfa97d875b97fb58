import type { Variable } from './grafana.ts';

const job: Variable = {
  name: 'job',
  label: 'Job',
  query: 'label_values(dom0_director_build_info, job)',
  several: true,
};
const instance: Variable = {
  name: 'instance',
  label: 'Dom0',
  query: 'label_values(dom0_director_build_info{job=~"$job"}, instance)',
  several: true,
};

export const HOSTS: readonly Variable[] = [job, instance];

const services = 'label_values(dom0_director_service_live{job=~"$job",instance=~"$instance"}, service)';
export const SERVICES: readonly Variable[] = [
  ...HOSTS,
  { name: 'service', label: 'Service', query: services, several: true },
];
export const ONE_SERVICE: readonly Variable[] = [
  job,
  { ...instance, several: false },
  { name: 'service', label: 'Service', query: services, several: false },
];

/** The selectors of what was chosen, to be followed by more labels. */
export const OF_HOSTS = 'job=~"$job",instance=~"$instance"';
export const OF_SERVICES = `${OF_HOSTS},service=~"$service"`;
