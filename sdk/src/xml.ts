// How is an answer in XML written, so that nothing in a value becomes an element of its own?

/** The whole document. What stands behind the stream is done when the relay has closed it. */
export function xmlAnswer(stream: string, after: string | undefined): string {
  const then = after === undefined ? "" : `<Redirect>${inText(after)}</Redirect>`;
  return `<?xml version="1.0" encoding="UTF-8"?><Response>${stream}${then}</Response>`;
}

export function attributes(all: { [name: string]: string | undefined }): string {
  const given = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${inAttribute(value)}"`]));
  return given.join("");
}

export function inText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function inAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
