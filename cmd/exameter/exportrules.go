package main

// prometheusRules are rules on the metrics of exameter export prometheus and on the collector's own. The argument is how old
// exported figures may be, in seconds.
const prometheusRules = `# Written by exameter export prometheus-rules.
groups:
  - name: exameter-dispatch
    rules:
      # An export that stands still says nothing of now: its series end here, and are not taken for what is free.
      - record: exameter:export_age_seconds
        expr: time() - max(exameter_export_as_of_timestamp_seconds)
      - record: exameter:free_gangs
        expr: sum by (centre, cluster, vendor, model, domestic, size) (exameter_pool_free_gangs) and on () (exameter:export_age_seconds <= %[1]d)
      - record: exameter:free_devices
        expr: sum by (centre, cluster, vendor, model, domestic) (exameter_pool_devices{state="free"}) and on () (exameter:export_age_seconds <= %[1]d)
      - record: exameter:free_flops
        expr: sum by (centre, class) (exameter_pool_flops{state="free"}) and on () (exameter:export_age_seconds <= %[1]d)
  - name: exameter-alerts
    rules:
      - alert: ExameterExportStale
        expr: time() - max(exameter_export_as_of_timestamp_seconds) > %[1]d
        for: 1m
        labels: {severity: warning}
        annotations:
          summary: Exported capacity is {{ $value | humanizeDuration }} old, and no longer shown as free.
      - alert: ExameterCentreSilent
        expr: exameter_coverage_ratio < 0.95
        for: 2m
        labels: {severity: warning}
        annotations:
          summary: Only {{ $value | humanizePercentage }} of the hosts of {{ $labels.centre }} report; the others' capacity is not online.
      - alert: ExameterCollectorStandsStill
        expr: time() - exameter_as_of_timestamp_seconds > 10
        for: 1m
        labels: {severity: critical}
        annotations:
          summary: The figures of {{ $labels.instance }} have been standing still for {{ $value | humanizeDuration }}.
      - alert: ExameterCollectorNotReady
        expr: exameter_ready == 0
        for: 5m
        labels: {severity: critical}
        annotations:
          summary: '{{ $labels.instance }} cannot sum up every part; /readyz says which.'
      - alert: ExameterRecountDiffers
        expr: increase(exameter_self_checks_total{result="different"}[1h]) > 0
        labels: {severity: critical}
        annotations:
          summary: A recount of {{ $labels.instance }} gave other figures; this is a defect of Exameter.
      - alert: ExameterRecordsRejected
        expr: increase(exameter_records_total{result="rejected"}[10m]) > 0
        for: 10m
        labels: {severity: warning}
        annotations:
          summary: '{{ $labels.instance }} gets records that cannot be read; they are in the quarantine topic.'
`

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
