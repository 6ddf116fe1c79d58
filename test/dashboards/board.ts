// What a dashboard of ours is, made of the types that Grafana publishes. The test puts this file beside each dashboard, written as TypeScript,
// below the folder of one release's types, and lets the compiler say whether the one satisfies the other.
import type { Dashboard, FieldConfig, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type { Options as BarGaugeOptions } from '../node_modules/@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as StatOptions } from '../node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as TableFields, Options as TableOptions } from '../node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { FieldConfig as LineFields, Options as LineOptions } from '../node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// Json is a type as JSON has it, where an enumeration is its values.
type Json<T> = T extends string ? `${T}` : T extends number ? T : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

// Grafana publishes no types of Prometheus' queries: this is what its data source saves.
interface Query {
  refId: string;
  datasource: Source;
  editorMode: 'code';
  expr: string;
  legendFormat: string;
  instant: boolean;
  range: boolean;
  format?: 'table';
}

interface Source {
  type: 'prometheus';
  uid: string;
}

// A panel of one kind, with the options and the field options of that kind.
type Of<Kind extends string, Options, Custom> = Omit<Json<Panel>, 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource'> & {
  type: Kind;
  datasource: Source;
  options: Json<Options>;
  fieldConfig: {
    defaults: Omit<Json<FieldConfig>, 'custom'> & { custom: Json<Custom> };
    overrides: { matcher: { id: 'byName' | 'byFrameRefID'; options: string }; properties: { id: string; value: unknown }[] }[];
  };
  targets: Query[];
};

type Row = Omit<Json<RowPanel>, 'type' | 'panels'> & { type: 'row'; panels: [] };

export type Board = Omit<Json<Dashboard>, 'panels' | 'templating'> & {
  templating: { list: Json<VariableModel>[] };
  panels: (Row | Of<'stat', StatOptions, {}> | Of<'timeseries', LineOptions, LineFields> | Of<'bargauge', BarGaugeOptions, {}> | Of<'table', TableOptions, TableFields>)[];
};
