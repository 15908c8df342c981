// look.mjs URL USER PASSWORD FOLDER PATH... - each page in headless Chromium: at 375 and 1280 pixels, light and dark. Fails when
// axe-core finds something serious, when the page is wider than the screen, loads from elsewhere, runs a script, or does not
// show the keyboard focus. Pictures go to FOLDER. Needs playwright-core and axe-core (npm) and Chromium.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.cwd() + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core"), "utf8");
const [url, username, password, folder, ...paths] = process.argv.slice(2);
let wrong = 0;

function fail(where, what) {
  console.log(`${where}: ${what}`);
  wrong++;
}

// Each element that has the focus in turn must show it by an outline; and the search must be among them.
async function followFocus(page, where) {
  let searched = false;
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const element = document.activeElement, style = getComputedStyle(element);
      return { tag: element.tagName, id: element.id, outline: style.outlineStyle, width: parseFloat(style.outlineWidth) };
    });
    if (seen.tag === "BODY") break;
    searched ||= seen.id === "q";
    if (seen.outline === "none" || seen.width < 2) fail(where, `the focus on ${seen.tag} is not visible`);
  }
  if (!searched) fail(where, "the search cannot be reached with the keyboard");
}

async function look(browser, path, width, colorScheme) {
  const name = `${path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "") || "overview"}-${width}-${colorScheme}`;
  const context = await browser.newContext({
    httpCredentials: { username, password, send: "always" }, viewport: { width, height: 900 }, colorScheme, bypassCSP: true,
  });
  const page = await context.newPage();
  page.on("request", (request) => { if (!request.url().startsWith(url)) fail(name, `loads ${request.url()}`); });
  page.on("console", (message) => { if (message.type() === "error") fail(name, message.text()); });
  page.on("dialog", (dialog) => { fail(name, "a script ran"); dialog.dismiss(); });
  await page.goto(url + path);
  if ((await page.locator("script").count()) > 0) fail(name, "there is a script in the page");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) fail(name, `${wide} pixels wider than the screen`);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  await followFocus(page, name);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run());
  for (const one of found.violations)
    if (["serious", "critical", "moderate"].includes(one.impact))
      fail(name, `${one.id} (${one.impact}): ${one.help}\n    ` + one.nodes.slice(0, 3).map((n) => n.html).join("\n    "));
  await context.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
                                        args: ["--no-sandbox", "--disable-gpu"] });
for (const path of paths)
  for (const width of [375, 1280])
    for (const scheme of ["light", "dark"]) await look(browser, path, width, scheme);
await browser.close();
console.log(`${4 * paths.length} pages looked at, ${wrong} faults`);
process.exit(wrong ? 1 : 0);
