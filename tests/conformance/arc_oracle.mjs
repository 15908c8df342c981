// arc_oracle.mjs KEYS MESSAGE... - what mailauth says of the chains of messages: "MESSAGE<tab>RESULT", one line each.
// KEYS has lines NAME<tab>RECORD. mailauth is in $MAILAUTH/node_modules.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const require = createRequire(path.join(process.env.MAILAUTH, 'node_modules', 'x.js'));
const { authenticate } = require('mailauth');
const keys = new Map();

for (const line of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
    const tab = line.indexOf('\t');
    const name = line.slice(0, tab).toLowerCase();
    keys.set(name, [...(keys.get(name) || []), [line.slice(tab + 1)]]);
}

const resolver = async (name, type) => {
    const found = type === 'TXT' && keys.get(name.toLowerCase().replace(/\.$/, ''));
    if (found) return found;
    throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
};

for (const file of process.argv.slice(3)) {
    let result;
    try {
        const options = { ip: '192.0.2.1', helo: 'a.example.org', mta: 'mx.example.net', sender: 'a@example.org', resolver };
        result = (await authenticate(readFileSync(file), options)).arc.status.result;
    } catch (err) {
        result = 'died';
    }
    console.log(`${file}\t${result}`);
}
