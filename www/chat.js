/*
 * A chat on one topic.  Nothing is kept but what this page has heard.
 */

const EVENT = 'message';
const MOST = 200;


export class Chat {
    constructor(root) {
        this.list = root.querySelector('#messages');
        this.form = root.querySelector('#say');
        this.room = null;

        this.form.elements.name.value = stored('name')
            ?? `guest-${Math.floor(Math.random() * 900 + 100)}`;

        this.form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.send();
        });
    }

    start(room) {
        this.room = room;
        room.on(EVENT, (body) => this.show(body));
    }

    send() {
        const { name, text } = this.form.elements;

        store('name', name.value);
        this.room.send(EVENT, { name: name.value, text: text.value })
            .catch((err) => console.warn('a message was not sent', err));
        text.value = '';
        text.focus();
    }

    /* anybody may have sent it: nothing of its shape is taken for granted */
    show(body) {
        const li = document.createElement('li');
        const who = document.createElement('b');
        const low = this.list.scrollHeight - this.list.scrollTop
                    - this.list.clientHeight < 40;

        who.textContent = String(body?.name ?? 'somebody').slice(0, 30);
        li.append(who, String(body?.text ?? '').slice(0, 500));

        this.list.querySelector('.empty')?.remove();
        this.list.append(li);

        if (this.list.children.length > MOST) {
            this.list.firstElementChild.remove();
        }

        if (low) {
            this.list.scrollTop = this.list.scrollHeight;
        }
    }
}


/* storage may be forbidden to a page */
function stored(key) {
    try {
        return localStorage.getItem(key);

    } catch {
        return null;
    }
}


function store(key, value) {
    try {
        localStorage.setItem(key, value);

    } catch {
        /* then the name is asked for again */
    }
}
