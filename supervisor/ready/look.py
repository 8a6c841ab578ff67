# Looks at Python files without running them: syntax errors, modules that are nowhere, files that are opened and not there.
# Standard input: {"folder", "files", "path"}; standard output: the traceback that the start would end with, as JSON lines.
import ast, json, os, re, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

job = json.load(sys.stdin)
folder, most = job["folder"], 200
path = [p for p in sys.path if p] + job["path"]
own = [p for p in job["path"] if p == folder or p.startswith(folder + os.sep) and "site-packages" not in p]
seen, queue = set(), [os.path.join(folder, f) for f in job["files"]]
reads = re.compile(r"(^|\.)(open|load\w*|read_\w+|from_pretrained|from_file|InferenceSession|Llama|Model|model_path|load_model)$", re.I)
models = re.compile(r"\.(gguf|ggml|safetensors|onnx|pt|pth|ckpt|joblib|pkl|faiss|h5|keras|tflite|mlmodel|mlpackage|npy|npz)$", re.I)


def tell(file, line, text):
    sys.stdout.write(json.dumps({"file": file, "line": line, "text": text}) + "\n")


def spec(name):
    if name in sys.builtin_module_names:
        return BuiltinImporter.find_spec(name)
    return FrozenImporter.find_spec(name) or PathFinder.find_spec(name, path)


def dotted(node):
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return dotted(node.value) + "." + node.attr
    return ""


def project_file(module):
    # The file of the project that an absolute import runs, and the packages above it.
    for root in own:
        base = os.path.join(root, *module.split("."))
        for file in (base + ".py", os.path.join(base, "__init__.py")):
            if os.path.isfile(file):
                return file
    return None


def imported(file, node):
    if isinstance(node, ast.Import):
        names = [a.name for a in node.names]
    elif node.level:
        base = os.path.dirname(file)
        for _ in range(node.level - 1):
            base = os.path.dirname(base)
        names = [node.module] if node.module else [a.name for a in node.names]
        for name in names:
            for f in (os.path.join(base, *name.split(".")) + ".py", os.path.join(base, *name.split("."), "__init__.py")):
                if os.path.isfile(f):
                    queue.append(f)
        return
    else:
        names = [node.module] + [node.module + "." + a.name for a in node.names]
    for name in names:
        own_file = project_file(name)
        if own_file:
            queue.append(own_file)
    for name in names[:1] if isinstance(node, ast.ImportFrom) else names:
        top = name.split(".")[0]
        if spec(top) is None and top not in getattr(sys, "stdlib_module_names", ()):
            tell(file, node.lineno, "ModuleNotFoundError: No module named '%s'" % top)


def called(file, node):
    name = dotted(node.func)
    mode = node.args[1].value if name == "open" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else "r"
    if not reads.search(name) or not isinstance(mode, str) or set(mode) & set("wax"):
        return
    for value in node.args[:1] + [k.value for k in node.keywords if k.arg and re.search("path|file|model", k.arg)]:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and models.search(value.value) and "://" not in value.value:
            if not os.path.exists(os.path.join(folder, os.path.expanduser(value.value))):
                tell(file, node.lineno, "FileNotFoundError: [Errno 2] No such file or directory: %r" % value.value)


def statement(file, node):
    # What runs for certain when the module is imported.
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        imported(file, node)
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr, ast.With)):
        for n in ast.walk(node.value if hasattr(node, "value") and node.value else ast.Tuple([i.context_expr for i in node.items]) if isinstance(node, ast.With) else ast.Tuple([])):
            if isinstance(n, (ast.Lambda, ast.IfExp, ast.BoolOp)):
                return
            if isinstance(n, ast.Call):
                called(file, n)


while queue and len(seen) < most:
    file = queue.pop(0)
    if file in seen:
        continue
    seen.add(file)
    try:
        with open(file, "rb") as f:
            source = f.read(1 << 20)
        tree = ast.parse(source, file)
        compile(tree, file, "exec", dont_inherit=True)
    except SyntaxError as e:
        tell(file, e.lineno or 1, "    %s\n%s: %s" % ((e.text or "").strip(), type(e).__name__, e.msg))
        continue
    except (OSError, ValueError, RecursionError, MemoryError):
        continue
    for node in tree.body:
        try:
            statement(file, node)
        except (ValueError, OSError, RecursionError):
            pass
