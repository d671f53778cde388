// The node half of adaptive_expressions.py: evaluates expressions of the package `adaptive-expressions` over the frames
// it was given. One line of JSON in, one out.
'use strict';

const path = require('path');
const readline = require('readline');

const folder = path.join(process.argv[2], 'node_modules', 'adaptive-expressions');
const { Expression } = require(folder);

let frames = [];

function evaluated(expression, frame) {
  const { value, error } = expression.tryEvaluate(frame);
  if (error) throw new Error(error);
  return value;
}

function rate(expression, seconds) {
  const limit = BigInt(Math.round(seconds * 1e9));
  const start = process.hrtime.bigint();
  let now = start;
  let count = 0;
  while (now - start < limit) {
    for (const frame of frames) evaluated(expression, frame);
    count += frames.length;
    now = process.hrtime.bigint();
  }
  return (count / Number(now - start)) * 1e9;
}

function answer(request) {
  if (request.frames) {
    frames = request.frames;
    return { frames: frames.length };
  }
  if (request.versions) return { node: process.version, package: require(path.join(folder, 'package.json')).version };
  const expression = Expression.parse(request.values || request.rate);
  if (request.values) return frames.map((frame) => evaluated(expression, frame));
  rate(expression, request.seconds / 4); // the optimising compiler has seen it before it counts
  return { rate: rate(expression, request.seconds) };
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + '\n');
});
