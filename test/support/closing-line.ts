import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with what was skipped, by name, and one line that a machine can read: `N passed, N failed`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    // A file that does not load, and an error outside every test, are failures too.
    let failed = unhandled.length + modules.reduce((sum, module) => sum + module.errors().length, 0);
    const skipped = new Set<string>();
    for (const module of modules) {
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state === 'failed') failed += 1;
        else skipped.add(test.parent.type === 'suite' ? test.parent.fullName : module.relativeModuleId);
      }
    }
    for (const name of skipped) console.log(`skipped: ${name}`);
    console.log(`${passed} passed, ${failed} failed`);
  }
}
