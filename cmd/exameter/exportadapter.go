package main

// adapterConfig makes external metrics of what the rules record. A province is no namespace, so the metrics are of none.
const adapterConfig = `# Written by exameter export prometheus-adapter.
externalRules:
  - seriesQuery: 'exameter:free_gangs'
    resources: {namespaced: false}
    name: {matches: '^exameter:(.*)$', as: 'exameter_$1'}
    metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>})
  - seriesQuery: 'exameter:free_devices'
    resources: {namespaced: false}
    name: {matches: '^exameter:(.*)$', as: 'exameter_$1'}
    metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>})
  - seriesQuery: 'exameter:free_flops'
    resources: {namespaced: false}
    name: {matches: '^exameter:(.*)$', as: 'exameter_$1'}
    metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>})
`
