import { Chat } from './chat.js';
import { LivePosts, connect } from './live.js';
import { showStatements } from './statements.js';
import { Table } from './table.js';


showStatements(document.querySelector('#statements'));

const chat = new Chat(document.querySelector('.chat'));
const table = new Table(document.querySelector('.rows'));
const users = document.querySelector('#users');

const kairos = connect('/realtime', (name) => {
    document.body.dataset.state = name;
    document.querySelector('#state').textContent = name;
});

chat.start(kairos.topic('lobby'));

const posts = new LivePosts(kairos, table);

function chosen() {
    return [...users.querySelectorAll('input:checked')].map((i) => i.value);
}

users.addEventListener('change', () => posts.show(chosen()));
posts.show(chosen());
