// Server-sent events, as an agent and an example's app send them.

/** Server-sent events, one by one. */
export async function* events(url) {
  const { body } = await fetch(url);
  let text = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text += chunk).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field('event')) yield { kind: field('event'), data: JSON.parse(field('data')) };
    }
  }
}
