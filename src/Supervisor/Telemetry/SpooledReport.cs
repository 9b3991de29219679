namespace Appliance.Supervisor.Telemetry;

/// <summary>A report that waits on the disk.</summary>
/// <param name="Number">Its place in the line.</param>
/// <param name="Kind">What it is: the last part of the collector's path, <c>metrics</c> or <c>logs</c>.</param>
/// <param name="Path">Its file: a gzip'ed OTLP request.</param>
/// <param name="Bytes">The file's size.</param>
internal sealed record SpooledReport(long Number, string Kind, string Path, long Bytes);
