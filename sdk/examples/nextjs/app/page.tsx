// The calls of late, with what was said. Reload it to see the next one.

import { type Call, recent } from "@/lib/calls";

export const dynamic = "force-dynamic";

export default function Page() {
  const calls = recent();
  return (
    <main>
      <h1>Calls</h1>
      {calls.length === 0 && <p>Nobody has called yet.</p>}
      {calls.map((call) => (
        <Entry key={call.id} call={call} />
      ))}
    </main>
  );
}

function Entry({ call: { id, from, began, ended } }: { call: Call }) {
  return (
    <article>
      <h2>{from || "A caller"}</h2>
      <p>
        <time dateTime={began}>{began}</time> · {id} ·{" "}
        {ended ? `${ended.reason}, ${ended.seconds} s, about $${ended.cost.usd.toFixed(4)}` : "is talking"}
      </p>
      <ul>
        {ended?.transcript.map((line, at) => (
          <li key={at}>
            {line.role === "tool" ? (
              <>
                <em>{line.name}</em>: {JSON.stringify(line.arguments)} → {JSON.stringify(line.result)}
              </>
            ) : (
              <>
                <strong>{line.role}</strong>: {line.heard}
                {line.interrupted && <s>{line.said.slice(line.heard.length)}</s>}
              </>
            )}
          </li>
        ))}
      </ul>
    </article>
  );
}
