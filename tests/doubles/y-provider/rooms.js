// SPDX-License-Identifier: MIT
// The documents that are being edited, on the real Hocuspocus: the backend decides about each person and each room.

import { Hocuspocus } from '@hocuspocus/server';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** Rooms whose doors `backend` guards, asked with the visitor's own cookie and `key`. */
export function rooms(backend, key, log) {
  async function ask(path, headers) {
    const answer = await fetch(`${backend}${path}`, {
      headers: { cookie: headers.cookie, origin: headers.origin, 'X-Y-Provider-Key': key },
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.json();
  }

  return new Hocuspocus({
    name: 'docs-collaboration',
    timeout: 30000,
    quiet: true,
    async onConnect({ requestHeaders, requestParameters, connectionConfig, documentName, context }) {
      if (documentName !== requestParameters.get('room') || !UUID4.test(documentName)) {
        throw new Error('Wrong room name: Unauthorized');
      }
      let document;
      try {
        document = await ask(`/api/v1.0/documents/${documentName}/`, requestHeaders);
      } catch (error) {
        log(`onConnect: ${error.message}: ${error.cause?.code ?? ''}`);
        throw new Error('Backend error: Unauthorized');
      }
      if (!document.abilities.retrieve) throw new Error('Wrong abilities: Unauthorized');
      connectionConfig.readOnly = !document.abilities.update;
      const session = requestHeaders.cookie?.split('; ').find((item) => item.startsWith('docs_sessionid='));
      context.sessionKey = session?.split('=')[1];
      // Strangers may read what is public, so not knowing who it is is no error
      const user = await ask('/api/v1.0/users/me/', requestHeaders).catch(() => undefined);
      context.userId = user?.id;
    },
  });
}

/** Close a room's connections: all of them, or one person's. */
export function reset(server, room, user) {
  if (!user) {
    server.closeConnections(room);
    return;
  }
  for (const connection of server.documents.get(room)?.getConnections() ?? []) {
    if (connection.context.userId === user) connection.close();
  }
}
