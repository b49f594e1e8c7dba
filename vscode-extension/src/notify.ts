import * as vscode from 'vscode';
import { plainText } from './model/plainText';

/** Says something, with choices as buttons, and tells which was taken. */
type Notify = (text: string, ...choices: string[]) => Thenable<string | undefined>;

/** Notifications. All of the extension's are made here: none may make a link of what a program calls its tasks. */
export const notify: Readonly<Record<'error' | 'warning' | 'information', Notify>> = {
  error: (text, ...choices) => vscode.window.showErrorMessage(plainText(text), ...choices),
  warning: (text, ...choices) => vscode.window.showWarningMessage(plainText(text), ...choices),
  information: (text, ...choices) => vscode.window.showInformationMessage(plainText(text), ...choices),
};
