#!/bin/sh
# haraka-plugin-dkim 1.3.1 (npm; DKIM of the mail server Haraka): a message without a body, signed with the relaxed body
# canonicalization, fails.
#
# RFC 6376 3.4.4: the canonical form of an empty body is empty, and so is the form of a body that has only empty lines;
# its SHA-256 is 47DEQpj8…. (That a body gets one CRLF is the rule of simple, 3.4.3.) The verifier of this package hashes
# one CRLF in both, so it answers "fail: body hash did not verify" for mail with an empty body, such as notes that are
# all subject. The same message with one line of text passes.
#
# Who reads its verdict, for example to reject by it, has to know that "fail" of such a message does not mean a change.
set -eu

version=1.3.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 77; }
npm install --silent --ignore-scripts --no-audit --no-fund "haraka-plugin-dkim@$version" >/dev/null 2>&1 ||
	{ echo "haraka-plugin-dkim $version cannot be installed (npm)" >&2; exit 77; }
openssl genrsa -out key.pem 2048 2>/dev/null

cat >ask.js <<'JS'
const { createHash, createPrivateKey, createPublicKey, sign } = require('node:crypto');
const { readFileSync } = require('node:fs');
const dns = require('node:dns');

const key = createPrivateKey(readFileSync('key.pem'));
const record = 'v=DKIM1; p=' + createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
dns.promises.resolveTxt = async () => [[record]];  // instead of a DNS server
require('node:dns/promises').resolveTxt = dns.promises.resolveTxt;
const { DKIMVerifyStream } = require('haraka-plugin-dkim/lib/dkim');
DKIMVerifyStream.prototype.debug = () => {};
require('haraka-plugin-dkim/lib/dkim').DKIMObject.prototype.debug = () => {};

// A message with a signature over From; `canonical` is the body after relaxed.
function signed(body, canonical) {
    const hash = createHash('sha256').update(canonical).digest('base64');
    const field = `v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1; h=from; bh=${hash}; b=`;
    const text = `from:alice@example.org\r\ndkim-signature:${field}`;
    const value = sign('sha256', Buffer.from(text), key).toString('base64');
    return `DKIM-Signature: ${field}${value}\r\nFrom: alice@example.org\r\n\r\n${body}`;
}

function verified(message) {
    return new Promise((resolve) => {
        const stream = new DKIMVerifyStream({ timeout: 60 }, (err, result, all) =>
            resolve(result + (all[0] && all[0].error ? `: ${all[0].error}` : '')));
        stream.write(Buffer.from(message));
        stream.end();
    });
}

(async () => {
    const cases = [['one line', 'text\r\n', 'text\r\n', 'pass'],
        ['empty', '', '', 'fail: body hash did not verify'],
        ['two empty lines', '\r\n\r\n', '', 'fail: body hash did not verify']];
    let otherwise = false;
    for (const [name, body, canonical, seen] of cases) {
        const said = await verified(signed(body, canonical));
        console.log(`body: ${name}\n  ${said}`);
        otherwise ||= said !== seen;
    }
    process.exit(otherwise ? 1 : 0);
})();
JS
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n node ask.js || { echo "haraka-plugin-dkim $version behaves otherwise now" >&2; exit 1; }
