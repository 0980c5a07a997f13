/** No secret: the tour prints it. In workerd /metrics stays closed without one. */
export const METRICS_TOKEN = 'demo-metrics-token';
