/** What fails while it is drawn is replaced by a word about it; the rest of the page goes on. */
import { Component, type ReactNode } from "react"

interface Props {
  readonly what: string
  /** Another thing to draw is another try. */
  readonly of: unknown
  readonly children: ReactNode
}

export class Contained extends Component<Props, { readonly failed: unknown }> {
  override state = { failed: undefined }
  static getDerivedStateFromError = (failed: unknown) => ({ failed: failed ?? "unknown" })

  override componentDidUpdate(before: Props) {
    if (before.of !== this.props.of && this.state.failed !== undefined) this.setState({ failed: undefined })
  }

  override render() {
    return this.state.failed === undefined ? this.props.children
      : <p className="last-error" role="alert">{this.props.what} cannot be shown: {String(this.state.failed)}</p>
  }
}
