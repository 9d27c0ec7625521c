/*
 * A TCP proxy before PostgreSQL that reads its protocol: for what the
 * PostgreSQL of the tests cannot be made to do.
 */

import { connect, createServer } from 'node:net';

import { once } from './await.mjs';


const SSL = 80877103;
const GSS = 80877104;


/*
 * port: of PostgreSQL.
 * startup(params): of each connection; {code, message, detail} refuses it.
 * message(type, body): of each message of the server's; gives another body,
 * or undefined for the same.
 *
 * Gives {port, close()}.
 */
export async function pgProxy(port, { startup, message }) {
    const sockets = new Set();

    const server = createServer((client) => {
        sockets.add(client);
        client.on('error', () => {});
        accept(client, port, { startup, message, sockets });
    });

    server.listen(0, '127.0.0.1');
    await once(server, 'listening');

    return { port: server.address().port, close: () => {
        server.close();
        sockets.forEach((socket) => socket.destroy());
    } };
}


function accept(client, port, { startup, message, sockets }) {
    const opening = frames(false, (type, body) => {
        const code = body.readInt32BE(0);

        if (code == SSL || code == GSS) {
            client.write('N');
            return;
        }

        const fields = body.subarray(4).toString('latin1').split('\0');
        const params = {};

        for (let i = 0; fields[i]; i += 2) {
            params[fields[i]] = fields[i + 1];
        }

        const refusal = startup?.(params);

        if (refusal) {
            client.end(error(refusal));
            return;
        }

        client.removeListener('data', opening);
        forward(client, port, framed('', body), { message, sockets });
    });

    client.on('data', opening);
}


function forward(client, port, first, { message, sockets }) {
    const database = connect(port, '127.0.0.1');

    sockets.add(database);
    database.on('error', () => {});
    database.on('close', () => client.destroy());
    client.on('close', () => database.destroy());
    client.on('data', (data) => database.write(data));
    database.write(first);

    database.on('data', frames(true, (type, body) => {
        client.write(framed(type, message?.(type, body) ?? body));
    }));
}


/* A handler of data that calls on(type, body) for each whole message. */
function frames(typed, on) {
    const head = typed ? 1 : 0;
    let rest = Buffer.alloc(0);

    return (data) => {
        rest = Buffer.concat([rest, data]);

        while (rest.length >= head + 4) {
            const end = head + rest.readInt32BE(head);

            if (rest.length < end) {
                return;
            }

            on(rest.toString('latin1', 0, head),
               Buffer.from(rest.subarray(head + 4, end)));
            rest = rest.subarray(end);
        }
    };
}


function framed(type, body) {
    const length = Buffer.alloc(4);

    length.writeInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(type, 'latin1'), length, body]);
}


function error({ code, message, detail }) {
    const fields = ['SFATAL', 'VFATAL', `C${code}`, `M${message}`,
                    ...detail ? [`D${detail}`] : []];

    return framed('E', Buffer.from(`${fields.join('\0')}\0\0`));
}
