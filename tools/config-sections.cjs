'use strict';
// The chapters of docs/CONFIG.md, for the tool that writes it and the test that compares it.

/** @param rows the config table of each part, by its name */
exports.configSections = (rows) => [
  { title: 'Every process', about: 'Taken by all of them; keys, tokens and topic names must be the same everywhere.', rows: rows.service },
  { title: 'allocator', about: 'Opens, places, retries, cancels and lists streams. The limits here are copied into each stream when it is opened.', rows: rows.allocator },
  { title: 'ingest', about: 'Takes all writes.', rows: rows.ingest },
  { title: 'fanout', about: 'Folds partitions and serves all reads.', rows: rows.fanout },
  { title: 'plugins', about: 'Plugin host: one process per plugin, requests become streams ([PLUGINS.md](PLUGINS.md)).', rows: rows.plugins },
  { title: 'standalone', about: 'All of them in one process, on the memory log: it takes their names too.', rows: rows.standalone },
];
