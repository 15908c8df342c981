// report_parser.mjs FILE - the messages and rows of a DMARC report (gzip) by dmarc-report-parser, which is in
// $DMARC_REPORT_PARSER/node_modules.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import path from 'node:path';

const require = createRequire(path.join(process.env.DMARC_REPORT_PARSER, 'node_modules', 'x.js'));
const { parseDmarcReportsFromXml } = require('dmarc-report-parser');
const { reports } = await parseDmarcReportsFromXml([gunzipSync(readFileSync(process.argv[2])).toString()]);
const rows = [reports[0].record ?? reports[0].feedback?.record].flat();

console.log(rows.reduce((sum, { row }) => sum + row.count, 0), rows.length);
