import { Chat } from './chat.js';
import { LivePosts, connect } from './live.js';
import { showStatements } from './statements.js';
import { Table } from './table.js';


const url = `${location.protocol == 'https:' ? 'wss' : 'ws'}://`
            + `${location.host}/realtime`;


showStatements(document.querySelector('#statements'));

const chat = new Chat(document.querySelector('.chat'));
const table = new Table(document.querySelector('.rows'));
const users = document.querySelector('#users');

const connection = await connect(url, 'lobby', (name) => {
    document.body.dataset.state = name;
    document.querySelector('#state').textContent = name;
});

chat.start(connection.nexus);

const posts = new LivePosts(connection, table);

function chosen() {
    return [...users.querySelectorAll('input:checked')].map((i) => i.value);
}

users.addEventListener('change', () => posts.show(chosen()));
posts.show(chosen());
