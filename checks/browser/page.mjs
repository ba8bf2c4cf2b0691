// What a check asks of a page, until it is so.

export async function says(page, selector, text, limit) {
  const there = (selector, text) => document.querySelector(selector)?.textContent.includes(text);
  if (await until(page, there, [selector, text], limit)) return;
  const body = await page.$eval("body", (body) => body.innerText);
  throw new Error(`${selector} never says “${text}”. The page:\n${body}\n${page.wrong.join("\n")}`);
}

/** Asks again and again, from outside: the page's own policy forbids to put such a question into it as text. */
export async function until(page, question, words = [], limit = 15_000) {
  for (const end = Date.now() + limit; Date.now() < end; ) {
    if (await page.evaluate(question, ...words)) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}
