/*
 * Topics: every member of a topic gets each message that a member sends.
 */

import type { Channel, Push } from 'phoenix';

import { call } from './frame.js';
import { type Link, answer } from './link.js';
import type { Topic } from './types.js';


/* The channel that all Topics of one name share. */
export interface Room {
    channel: Channel;
    join: Push;
    members: Set<Topic>;
}


export function topicOf(link: Link, name: string, self = true): Topic {
    const { channel, join, members } = roomOf(link, name);
    const bound = new Set<() => void>();

    const topic: Topic = {
        name,

        get ready() {
            return answer(join).then(() => topic);
        },

        on(event, listener) {
            const ref = channel.on(event, (payload) => {
                if (payload instanceof ArrayBuffer) {
                    call(listener, payload as any);

                } else if (self || payload.from != link.id) {
                    call(listener, payload.body);
                }
            });

            const off = (): void => {
                channel.off(event, ref);
                bound.delete(off);
            };

            bound.add(off);
            return off;
        },

        async send(event, body = null) {
            await answer(channel.push(event, body instanceof ArrayBuffer
                                             ? body : { body, from: link.id },
                                      link.timeout));
        },

        close() {
            bound.forEach((off) => off());

            if (members.delete(topic) && !members.size) {
                channel.leave();
                link.rooms.delete(name);
            }
        },
    };

    members.add(topic);
    return topic;
}


function roomOf(link: Link, name: string): Room {
    let room = link.rooms.get(name);

    if (!room) {
        const channel = link.socket.channel(name);

        room = { channel, join: channel.join(link.timeout),
                 members: new Set() };
        link.rooms.set(name, room);
    }

    return room;
}
