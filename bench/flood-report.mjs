/** For whoever forked a flood: told once when it flows, told its acknowledged bytes whenever asked; it ends with them. */
export function reportFlood(acknowledgedBytes) {
  const watch = setInterval(() => {
    if (acknowledgedBytes() === 0) return;
    clearInterval(watch);
    process.send({ kind: 'flooding' });
  }, 50);
  process.on('message', () => process.send({ kind: 'acknowledged', bytes: acknowledgedBytes() }));
  process.on('disconnect', () => process.exit(0));
}
