/*
 * SQL to copy: a browser cannot write rows here, psql can.
 */

const STATEMENTS = [
    'insert into posts (userid, author, content)'
    + " values (57, 'me', 'hello from psql');",
    "update posts set content = content || '!', updated_at = now()"
    + ' where id = (select max(id) from posts);',
    'delete from posts where id = (select max(id) from posts);',
];


export function showStatements(list) {
    for (const statement of STATEMENTS) {
        const li = document.createElement('li');
        const code = document.createElement('code');
        const button = document.createElement('button');

        code.textContent = statement;
        button.type = 'button';
        button.textContent = 'Copy';
        button.setAttribute('aria-label', `Copy: ${statement}`);
        button.addEventListener('click', () => copy(code, button));

        li.append(code, button);
        list.append(li);
    }
}


async function copy(code, button) {
    try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = 'Copied';
        setTimeout(() => { button.textContent = 'Copy'; }, 1500);

    } catch {
        /* without leave to write there: the user can, when it is selected */
        getSelection().selectAllChildren(code);
    }
}
