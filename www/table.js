/*
 * The table: rows by id, the newest first; what changes is seen for a while.
 */

const MOST = 100;      /* rows that are shown; the oldest give way */

const clock = new Intl.DateTimeFormat(undefined, {
    hour: '2-digit', minute: '2-digit', second: '2-digit' });


export class Table {
    constructor(root) {
        this.body = root.querySelector('#rows');
        this.empty = root.querySelector('#empty');
        this.count = root.querySelector('#count');
        this.changes = root.querySelector('#changes');
        this.news = root.querySelector('#news');
        this.rows = new Map();
        this.changed = 0;
    }

    reset(rows) {
        this.rows.clear();
        this.body.replaceChildren();

        for (const row of rows) {
            this.place(row);
        }

        this.say('No rows: choose a user, or insert a row below.');
        this.counted();
    }

    refused(reason) {
        this.rows.clear();
        this.body.replaceChildren();
        this.say(`The query is not served: ${reason}`, true);
        this.counted();
    }

    upsert(row, op) {
        const known = this.rows.has(String(row.id));

        this.flash(this.place(row), known ? 'updated' : 'inserted');
        this.tell(`${op}: row ${row.id} by ${row.author}`);
    }

    remove(id) {
        const tr = this.rows.get(String(id));

        if (tr == null) {
            return;
        }

        this.rows.delete(String(id));
        tr.className = 'deleted';
        tr.addEventListener('animationend', (event) => {
            if (event.animationName == 'deleted') {
                tr.remove();
            }
        });

        this.tell(`delete: row ${id}`);
    }

    /* Fills the row's line, which is made and put in order if it is new. */
    place(row) {
        const id = String(row.id);
        let tr = this.rows.get(id);

        if (tr == null) {
            tr = this.make(id);
        }

        const [idCell, user, author, content, time] = tr.cells;

        idCell.textContent = id;
        user.textContent = row.userid;
        author.textContent = row.author;
        content.textContent = row.content;
        time.replaceChildren(timeOf(row.updated_at));
        return tr;
    }

    make(id) {
        const tr = document.createElement('tr');

        for (let i = 0; i < 5; i++) {
            tr.insertCell();
        }

        tr.cells[0].className = tr.cells[1].className = 'number';
        tr.dataset.id = id;
        this.rows.set(id, tr);

        const next = [...this.body.rows].find(
            (other) => BigInt(other.dataset.id) < BigInt(id));

        this.body.insertBefore(tr, next ?? null);

        if (this.rows.size > MOST) {
            const last = [...this.rows.values()].reduce((a, b) => {
                return BigInt(a.dataset.id) < BigInt(b.dataset.id) ? a : b;
            });

            this.rows.delete(last.dataset.id);
            last.remove();
        }

        return tr;
    }

    flash(tr, name) {
        tr.classList.remove('inserted', 'updated');
        void tr.offsetWidth;             /* so that the animation restarts */
        tr.classList.add(name);
    }

    tell(news) {
        this.changed++;
        this.changes.textContent = this.changed == 1
                                   ? '1 change' : `${this.changed} changes`;
        this.news.textContent = news;
        this.counted();
    }

    say(text, refused = false) {
        this.empty.textContent = text;
        this.empty.classList.toggle('refused', refused);
    }

    counted() {
        const n = this.rows.size;

        this.empty.hidden = n > 0;
        this.count.textContent = n == 1 ? '1 row' : `${n} rows`;
    }
}


function timeOf(value) {
    const time = document.createElement('time');
    const date = new Date(value);

    time.dateTime = value;
    time.title = value;
    time.textContent = Number.isNaN(date.getTime()) ? value
                                                    : clock.format(date);
    return time;
}
