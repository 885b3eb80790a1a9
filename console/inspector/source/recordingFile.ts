/** A recording as a file of this machine: opened and saved without any server. */
import { Result } from "effect"
import { decodeRecording, encodeRecording, largestRecording, type Recording } from "../../../src/domain/Sight/Recording.ts"

export interface Unreadable { readonly message: string; readonly hint: string }

/** A file that is too large is not read at all. */
export const readRecording = async (file: File): Promise<Result.Result<Recording, Unreadable>> => {
  if (file.size > largestRecording) {
    return Result.fail({ message: `The file is too large: ${Math.ceil(file.size / 1_048_576)} MB, at most ${largestRecording / 1_048_576} are read.`, hint: "record for a shorter time: gstacks debug record --for 10s -o FILE" })
  }
  try {
    return decodeRecording(await file.text())
  } catch (error) {
    return Result.fail({ message: `The file could not be read: ${error instanceof Error ? error.message : String(error)}.`, hint: "open it again" })
  }
}

export const saveRecording = (recording: Recording): void => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([encodeRecording(recording)], { type: "application/jsonl" }))
  link.download = `gstacks-${new Date(recording.at).toISOString().slice(0, 19).replaceAll(":", "")}.jsonl`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
