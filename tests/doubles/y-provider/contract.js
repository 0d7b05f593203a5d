// SPDX-License-Identifier: MIT
// Which settings the collaboration server must be given, by the names upstream reads, and what is wrong with a value.

import { existsSync, readFileSync } from 'node:fs';

const SHORTEST_SECRET = 32;
const DEFAULT_SECRETS = ['secret-api-key', 'yprovider-api-key'];

/** A secret from a variable, or from the file that <name>_FILE names: read raw, as upstream does. */
export function secret(env, name) {
  const file = env[`${name}_FILE`];
  return file ? readFileSync(file, 'utf-8') : env[name];
}

/** What keeps the server from starting, one line each; no secret in any of them. */
export function problems(env, exists = existsSync) {
  const found = [];
  const https = (name, value) => {
    if (!/^https:\/\/[a-z0-9.-]+(:\d+)?$/.test(value)) found.push(`${name} is '${value}', not https://<name>`);
  };
  for (const name of ['COLLABORATION_BACKEND_BASE_URL', 'COLLABORATION_SERVER_ORIGIN']) {
    if (env[name] === undefined) found.push(`${name} is not set`);
    else for (const value of env[name].split(',')) https(name, value);
  }
  for (const name of ['COLLABORATION_SERVER_SECRET', 'Y_PROVIDER_API_KEY']) {
    const file = env[`${name}_FILE`];
    if (file && !exists(file)) found.push(`${name}_FILE names a file that is not there`);
    else if (!file && env[name] === undefined) found.push(`${name} is not set`);
    else if (DEFAULT_SECRETS.includes(secret(env, name))) found.push(`${name} is the default, which everybody knows`);
    else if (secret(env, name).length < SHORTEST_SECRET) found.push(`${name} is shorter than ${SHORTEST_SECRET} characters`);
    else if (secret(env, name).endsWith('\n')) found.push(`${name}_FILE ends with a line break, which becomes part of it`);
  }
  if (!['true', 'false'].includes(env.COLLABORATION_LOGGING ?? 'false')) found.push('COLLABORATION_LOGGING is no boolean');
  if (!/^\d{1,5}$/.test(env.PORT ?? '4444')) found.push(`PORT is '${env.PORT}', which is no port`);
  // Node itself only warns about a file it cannot read, and then trusts nobody but the public authorities
  if (!env.NODE_EXTRA_CA_CERTS) found.push('NODE_EXTRA_CA_CERTS is not set');
  else if (!exists(env.NODE_EXTRA_CA_CERTS)) found.push('NODE_EXTRA_CA_CERTS names a file that is not there');
  return found;
}
