using System.Net;
using System.Net.Http.Headers;

namespace Appliance.Supervisor.Telemetry;

/// <summary>A collector of OpenTelemetry (OTLP/HTTP, binary protobuf).</summary>
internal sealed class OtlpTaker(string address, HttpClient http) : IReportTaker
{
    /// <inheritdoc/>
    public string Name => address;

    /// <inheritdoc/>
    public async Task<ReportAnswer> TakeAsync(SpooledReport report, byte[] content, CancellationToken cancellationToken)
    {
        using var body = new ByteArrayContent(content) { Headers = { ContentType = new MediaTypeHeaderValue("application/x-protobuf"), ContentEncoding = { "gzip" } } };
        using var answer = await http.PostAsync($"{address.TrimEnd('/')}/v1/{report.Kind}", body, cancellationToken);
        if (answer.IsSuccessStatusCode) return new(ReportOutcome.Taken);
        // What a collector cannot read it cannot read later; all else (a wrong address, a log-in, too much) somebody can mend.
        return answer.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity
            ? new(ReportOutcome.Unusable, $"it does not take a report: {(int)answer.StatusCode} {answer.ReasonPhrase}")
            : new(ReportOutcome.Waits, $"it answers {(int)answer.StatusCode} {answer.ReasonPhrase}", answer.Headers.RetryAfter?.Delta);
    }
}
