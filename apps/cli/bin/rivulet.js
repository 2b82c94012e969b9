#!/usr/bin/env node
// A file of its own, there before the build: npm links only commands that exist when it installs.
require('../dist/main.js');
