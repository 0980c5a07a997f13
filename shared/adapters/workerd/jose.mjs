// Stands for `jose` in the Worker's bundle (`alias` in wrangler.toml): what this code uses of it, and no more. The OpenFGA SDK
// would bring a second, older jose whole, 70 KiB, for a way to sign in that is not used here. By its path, because the name
// means this file; the bundler names an export that is missing.
export {
  base64url,
  calculateJwkThumbprint,
  compactDecrypt,
  CompactEncrypt,
  compactVerify,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
} from '../../../node_modules/jose/dist/webapi/index.js';
