// SPDX-License-Identifier: MIT
// Looks at the settings, then serves.

import { problems, secret } from './contract.js';
import { rooms } from './rooms.js';
import { server } from './server.js';

const REFUSED = 78; // EX_CONFIG
const env = process.env;
const found = problems(env);
if (found.length) {
  for (const line of found) console.error(`double: ${line}`);
  process.exit(REFUSED);
}
const log = env.COLLABORATION_LOGGING === 'true' ? console.log : () => {};
const keys = [secret(env, 'COLLABORATION_SERVER_SECRET'), secret(env, 'Y_PROVIDER_API_KEY')];
const options = {
  keys,
  log,
  origins: env.COLLABORATION_SERVER_ORIGIN.split(','),
  mostBytes: Number(env.CONVERSION_FILE_MAX_SIZE ?? 20 * 2 ** 20),
};
const http = server(rooms(env.COLLABORATION_BACKEND_BASE_URL, keys[1], log), options);
const port = Number(env.PORT ?? 4444);
http.listen(port, () => console.log('App listening on port :', port));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
