import * as vscode from 'vscode';

/** What is used of the interface of the Python extension (ms-python.python, its `PythonExtension` type). */
interface PythonExtension {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(environment: { readonly path: string }): Promise<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
  };
}

/** The interpreter that the user has selected for a folder with the Python extension; none without that extension. */
export async function selectedInterpreter(folder: vscode.Uri | undefined): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<Partial<PythonExtension>>('ms-python.python');
  if (!extension) {
    return undefined;
  }
  try {
    const { environments } = await extension.activate();
    const active = environments?.getActiveEnvironmentPath(folder);
    const resolved = active && (await environments?.resolveEnvironment(active));
    return resolved?.executable.uri?.fsPath;
  } catch {
    // What it cannot tell, the adapter finds out itself.
    return undefined;
  }
}
