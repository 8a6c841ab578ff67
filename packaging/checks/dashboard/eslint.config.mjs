// What TypeScript does not see in the scripts of the dashboard. The names of the browser are TypeScript's affair.
export default [{
  languageOptions: { ecmaVersion: 2023, sourceType: "module" },
  linterOptions: { reportUnusedDisableDirectives: "error" },
  rules: {
    "array-callback-return": "error", "block-scoped-var": "error", "default-case-last": "error", "dot-notation": "error",
    "eqeqeq": "error", "for-direction": "error", "no-alert": "error", "no-await-in-loop": "off", "no-case-declarations": "error", "no-cond-assign": "error",
    "no-console": "error", "no-constant-binary-expression": "error", "no-control-regex": "error", "no-debugger": "error", "no-duplicate-imports": "error",
    "no-else-return": "error", "no-empty": ["error", { allowEmptyCatch: true }], "no-empty-pattern": "error", "no-eval": "error", "no-extend-native": "error",
    "no-fallthrough": "error", "no-implied-eval": "error", "no-invalid-regexp": "error", "no-loss-of-precision": "error", "no-new-func": "error",
    "no-promise-executor-return": ["error", { allowVoid: true }], "no-prototype-builtins": "error", "no-restricted-properties": [
      "error", { property: "innerHTML", message: "HTML goes in by place(), which the browser checks." }, { property: "outerHTML" }, { property: "insertAdjacentHTML" },
      { object: "document", property: "write" }, { object: "document", property: "cookie" }, { property: "localStorage" },
    ],
    "no-script-url": "error", "no-self-assign": "error", "no-self-compare": "error", "no-shadow": "error", "no-sparse-arrays": "error", "no-template-curly-in-string": "error",
    "no-throw-literal": "error", "no-unmodified-loop-condition": "error", "no-unreachable-loop": "error", "no-unsafe-finally": "error", "no-unused-expressions": "error",
    "no-unused-vars": ["error", { caughtErrors: "all" }], "no-useless-assignment": "error", "no-useless-escape": "error", "no-useless-return": "error", "no-var": "error",
    "prefer-const": "error", "prefer-promise-reject-errors": "error", "radix": "error", "require-atomic-updates": "off", "use-isnan": "error", "valid-typeof": "error", "yoda": "error",
  },
}];
