/** Which part of the picture is seen, and how large: the wheel zooms, dragging pans. */

export interface Place {
  readonly x: number;
  readonly y: number;
}

/** A point of the picture is drawn at its place times `scale` plus this. */
interface View extends Place {
  readonly scale: number;
}

const smallest = 0.1;
const largest = 4;
/** Smaller than this, texts cannot be read: a large picture begins at its upper left instead. */
const readable = 0.5;
/** Pixels that the pointer may move within a click. */
const still = 4;
/** Kept between what is seen and the edge, in pixels. */
const room = 12;

export class Camera {
  private view: View = { x: 0, y: 0, scale: 1 };
  private size = { width: 0, height: 0 };
  /** The user has moved it: it stays there when the picture changes. */
  private moved: boolean;
  private from: { readonly pointer: Place; readonly view: View } | undefined;

  /** The pointer has moved since it was pressed: what follows is no click. */
  dragged = false;

  constructor(
    private readonly frame: SVGSVGElement,
    private readonly scene: SVGGElement,
    saved: unknown,
    private readonly save: (view: View) => void,
  ) {
    this.moved = isView(saved);
    if (isView(saved)) {
      this.view = saved;
    }
    new ResizeObserver(() => {
      this.resize(this.size);
    }).observe(frame);
    frame.addEventListener('wheel', (event) => {
      event.preventDefault();
      if (event.shiftKey || event.deltaX !== 0) {
        this.pan(-(event.deltaX || event.deltaY), event.deltaX === 0 ? 0 : -event.deltaY);
      } else {
        this.zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) / 400), this.inFrame(event));
      }
    });
    frame.addEventListener('pointerdown', (event) => {
      this.dragged = false;
      this.from = event.button === 0 ? { pointer: { x: event.clientX, y: event.clientY }, view: this.view } : undefined;
    });
    frame.addEventListener('pointermove', (event) => {
      this.drag(event);
    });
    for (const type of ['pointerup', 'pointercancel'] as const) {
      frame.addEventListener(type, () => {
        this.from = undefined;
        frame.classList.remove('dragging');
      });
    }
  }

  /** The picture has another size; who has not moved yet sees it from its beginning. */
  resize(size: { readonly width: number; readonly height: number }): void {
    this.size = { width: size.width, height: size.height };
    if (this.moved) {
      this.set(this.view);
    } else {
      this.whole(readable);
    }
  }

  /** Shows the whole picture. */
  fit(): void {
    this.whole(smallest);
    this.moved = false;
  }

  zoom(factor: number, around: Place = { x: this.frame.clientWidth / 2, y: this.frame.clientHeight / 2 }): void {
    const scale = Math.max(smallest, Math.min(largest, this.view.scale * factor));
    const by = scale / this.view.scale;
    this.move({ scale, x: around.x - (around.x - this.view.x) * by, y: around.y - (around.y - this.view.y) * by });
  }

  pan(x: number, y: number): void {
    this.move({ ...this.view, x: this.view.x + x, y: this.view.y + y });
  }

  /** Pans as far as it takes to see a part of the picture. */
  bring(node: Element | undefined): void {
    if (!node) {
      return;
    }
    const [here, frame] = [node.getBoundingClientRect(), this.frame.getBoundingClientRect()];
    const into = (low: number, high: number, first: number, last: number): number =>
      low < first + room ? first + room - low : high > last - room ? Math.max(last - room - high, first + room - low) : 0;
    const [x, y] = [into(here.left, here.right, frame.left, frame.right), into(here.top, here.bottom, frame.top, frame.bottom)];
    if (x !== 0 || y !== 0) {
      this.pan(x, y);
    }
  }

  private whole(least: number): void {
    const { width, height } = this.size;
    const scale = Math.min(1, this.frame.clientWidth / Math.max(width, 1), this.frame.clientHeight / Math.max(height, 1));
    this.set({ x: 0, y: 0, scale: Math.max(scale, least) });
  }

  private drag(event: PointerEvent): void {
    if (!this.from) {
      return;
    }
    const { pointer, view } = this.from;
    const [x, y] = [event.clientX - pointer.x, event.clientY - pointer.y];
    if (!this.dragged && Math.hypot(x, y) > still) {
      this.dragged = true;
      // Only now: a captured pointer's click would no longer name the box below it.
      this.frame.setPointerCapture(event.pointerId);
      this.frame.classList.add('dragging');
    }
    if (this.dragged) {
      this.move({ ...view, x: view.x + x, y: view.y + y });
    }
  }

  private inFrame({ clientX, clientY }: MouseEvent): Place {
    const { left, top } = this.frame.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  private move(view: View): void {
    this.moved = true;
    this.set(view);
    this.save(view);
  }

  private set(view: View): void {
    this.view = view;
    this.scene.setAttribute('transform', `translate(${view.x} ${view.y}) scale(${view.scale})`);
  }
}

function isView(value: unknown): value is View {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['x', 'y', 'scale'].every((name) => Number.isFinite((value as Readonly<Record<string, unknown>>)[name])) &&
    (value as View).scale >= smallest &&
    (value as View).scale <= largest
  );
}
