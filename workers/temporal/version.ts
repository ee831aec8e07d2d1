/** The Temporal CLI that Millrace is tested with, and the server inside it. deploy/temporal.version carries the same. */
export const temporalVersion = { cli: '1.5.1', server: '1.29.1' } as const;

/** Buildable with `go install`: later versions carry a `replace` directive and are not. */
export const temporalModule = `github.com/temporalio/cli/cmd/temporal@v${temporalVersion.cli}`;
