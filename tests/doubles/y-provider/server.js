// SPDX-License-Identifier: MIT
// Paths, keys and answers as in y-provider.

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import * as Y from 'yjs';
import { reset } from './rooms.js';

const SOCKET_PATH = '/collaboration/ws/';
const NOT_ALLOWED = 4001;

/** A document as it would be held here, from Markdown: one paragraph for each that the text has. */
export function converted(markdown) {
  const document = new Y.Doc();
  const paragraphs = markdown.split(/\n{2,}/).map((text) => {
    const paragraph = new Y.XmlElement('paragraph');
    paragraph.insert(0, [new Y.XmlText(text.trim())]);
    return paragraph;
  });
  document.getXmlFragment('document-store').insert(0, paragraphs);
  return Y.encodeStateAsUpdate(document);
}

async function body(request, most) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > most) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** An HTTP server. keys: either opens the interfaces for the backend. origins: whose pages may open a socket. */
export function server(hocuspocus, { keys, origins, mostBytes, log }) {
  async function answer(request, respond) {
    const url = new URL(request.url, 'http://here');
    const room = url.searchParams.get('room');
    const json = (status, content) => respond(status, JSON.stringify(content), 'application/json');
    if (request.method === 'GET' && url.pathname === '/ping') return json(200, { message: 'pong' });
    const known = {
      'POST /collaboration/api/reset-connections/': () => {
        if (!room) return json(400, { error: 'Room name not provided' });
        reset(hocuspocus, room, request.headers['x-user-id']);
        return json(200, { message: 'Connections reset' });
      },
      'GET /collaboration/api/get-connections/': () => {
        const session = url.searchParams.get('sessionKey');
        if (!room || !session) return json(400, { error: 'Room name or session key not provided' });
        const found = hocuspocus.documents.get(room);
        if (!found) return json(404, { error: 'Room not found' });
        const writing = found.getConnections().filter((connection) => !connection.readOnly);
        const exists = writing.some((connection) => connection.context.sessionKey === session);
        return json(200, { count: writing.length, exists });
      },
      'POST /api/convert/': async () => {
        const markdown = await body(request, mostBytes);
        if (!markdown?.length) return json(400, { error: 'Invalid request: missing content' });
        return respond(200, Buffer.from(converted(markdown.toString())), 'application/vnd.yjs.doc');
      },
    }[`${request.method} ${url.pathname}`];
    if (!known) return json(403, { error: 'Forbidden' });
    const key = request.headers.authorization?.replace(/^Bearer /, '');
    if (!keys.includes(key)) return json(401, { error: 'Unauthorized: Invalid API Key' });
    return known();
  }

  const http = createServer((request, response) => {
    const respond = (status, content, type) => response.writeHead(status, { 'Content-Type': type }).end(content);
    answer(request, respond).catch((error) => {
      log(error.message);
      respond(500, '', 'text/plain');
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, socket, head) => {
    if (new URL(request.url, 'http://here').pathname !== SOCKET_PATH) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => {
      // As upstream: the upgrade is accepted, and the reason is given by how the socket is closed
      opened.on('error', (error) => log(error.message));
      if (!origins.includes(request.headers.origin)) opened.close(NOT_ALLOWED, 'Origin not allowed');
      else if (!request.headers.cookie) opened.close(NOT_ALLOWED, 'No cookies');
      else hocuspocus.handleConnection(opened, request);
    });
  });
  return http;
}
