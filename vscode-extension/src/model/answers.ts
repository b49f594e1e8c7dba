/** Answers that are kept by what they are about. */

/** A failure is told to all who wait for it and is not kept: who asks next has it tried again. */
export class Answers<T> {
  private readonly kept = new Map<string, Promise<T>>();

  async about(what: string, ask: () => Promise<T>): Promise<T> {
    const asked = this.kept.get(what) ?? ask();
    this.kept.set(what, asked);
    try {
      return await asked;
    } catch (error) {
      // It may have been forgotten and asked anew meanwhile.
      if (this.kept.get(what) === asked) {
        this.kept.delete(what);
      }
      throw error;
    }
  }

  forget(): void {
    this.kept.clear();
  }
}
