import * as vscode from 'vscode';
import { inlineNames } from './model/inlineNames';
import { decodeScopes, decodeVariables, inlineText, inlineVariables } from './model/variables';

/** Scopes with more are not read for the ends of lines. */
const mostScopes = 8;

/** Values of the stopped frame's variables at the ends of lines, up to the line where it stopped. */
export class InlineValues implements vscode.InlineValuesProvider {
  constructor(private readonly type: string) {}

  async provideInlineValues(document: vscode.TextDocument, viewPort: vscode.Range, context: vscode.InlineValueContext, token: vscode.CancellationToken): Promise<vscode.InlineValue[]> {
    const session = vscode.debug.activeStackItem?.session ?? vscode.debug.activeDebugSession;
    const language = document.languageId === 'rust' ? 'rust' : document.languageId === 'python' ? 'python' : undefined;
    if (session?.type !== this.type || !language) {
      return [];
    }
    try {
      const { values, shadowed } = inlineVariables(await this.read(session, context.frameId, token));
      const stopped = context.stoppedLocation.end.line;
      const places = inlineNames(language, document.getText(), stopped, new Set(values.keys()), shadowed);
      return places.flatMap(({ name, line, column }) => {
        const range = new vscode.Range(line, column, line, column + name.length);
        return viewPort.intersection(range) ? [new vscode.InlineValueText(range, inlineText(name, values.get(name) ?? ''))] : [];
      });
    } catch {
      // The program went on meanwhile, or the frame has no variables to read: nothing is shown.
      return [];
    }
  }

  /** What the frame's own scopes have; registers and statics are left alone. */
  private async read(session: vscode.DebugSession, frameId: number, token: vscode.CancellationToken) {
    const scopes = decodeScopes(await session.customRequest('scopes', { frameId })).filter((scope) => !scope.expensive && scope.hint !== 'registers');
    const found = [];
    for (const scope of scopes.slice(0, mostScopes)) {
      if (token.isCancellationRequested) {
        return [];
      }
      found.push(...decodeVariables(await session.customRequest('variables', { variablesReference: scope.reference })));
    }
    return found;
  }
}
