using System.IO.Compression;
using System.Net;

namespace Appliance.Supervisor.Telemetry;

/// <summary>Stands where OpenTelemetry's exporters see the collector: what they send goes to the spool instead, compressed.</summary>
internal sealed class SpoolHandler(ReportSpool spool) : HttpMessageHandler
{
    /// <inheritdoc/>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var content = request.Content!.ReadAsStream(cancellationToken);
        using var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) content.CopyTo(zip);
        spool.Add(Path.GetFileName(request.RequestUri!.AbsolutePath), packed.GetBuffer().AsSpan(0, (int)packed.Length));
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent([]) };
    }

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(Send(request, cancellationToken));
}
