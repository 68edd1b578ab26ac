/** Prints `N passed, N failed` from Jest's report. Words: the report's file, the exit code of the run. */
import { readFileSync } from 'node:fs';

const [file, code] = process.argv.slice(2);

/** A suite that could not start has no tests to count, and counts as one that failed. */
function count() {
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1 };
  }
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  return { passed: report.numPassedTests, failed: failed === 0 && code !== '0' ? 1 : failed };
}

const { passed, failed } = count();
console.log(`${passed} passed, ${failed} failed`);
