import type { Alarm } from '../../../shared/figures/alarms.ts';
import type { Forecast } from '../../../shared/figures/forecast.ts';
import type { Kpi } from '../../../shared/figures/kpis.ts';
import type { PendingPerson } from '../../../shared/figures/pending.ts';
import type {
  Day,
  FunnelStep,
  Overall,
  Page,
  Rows,
  TenantFigures,
  Values,
} from '../../../shared/figures/read.ts';
import type { WaveFigures } from '../../../shared/figures/waves.ts';

/** What the overview and the page of a tenant show. */
export interface Overview {
  readonly overall: Values<Overall>;
  readonly tenants: Page<TenantFigures>;
  readonly daily: Rows<Day>;
  readonly funnel: Rows<FunnelStep>;
  readonly waves: Rows<WaveFigures>;
  /** People whose address gets no mail. */
  readonly stuck: Page<PendingPerson>;
  readonly judged: Judged;
  /** The switch that stops mail, provisioning and deadlines. */
  readonly paused: boolean;
}

export interface Judged {
  readonly kpis: readonly Kpi[];
  readonly forecast: Forecast;
  /** Those that stand; they are of the whole, so that a tenant has none. */
  readonly alarms: readonly Alarm[];
}
