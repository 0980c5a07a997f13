export { startNeonEndpoint, type NeonEndpoint } from '../../dev/neon.ts';
