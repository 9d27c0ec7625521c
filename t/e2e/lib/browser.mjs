/*
 * What the SDK finds in a browser and not in Node.js; to be imported before
 * it.  Without a token it takes no other WebSocket than the global one.
 */

import WebSocket from 'ws';


globalThis.self ??= globalThis;
globalThis.WebSocket = WebSocket;
