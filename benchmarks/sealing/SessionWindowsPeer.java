import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.processor.TimestampExtractor;

/**
 * Session windows over a topic, one result for each window, once it has closed: the key, and
 * "first,last,count" with times in milliseconds. The one argument is a file of properties: those of
 * Kafka Streams, and `input`, `output`, `gap.ms`, `grace.ms`.
 */
public final class SessionWindowsPeer {

  /** When a record was first appended, in microseconds as ASCII digits. */
  private static final String APPEND_TIME = "parley-append-time";

  private SessionWindowsPeer() {}

  public static void main(String[] arguments) throws Exception {
    Properties properties = new Properties();
    try (FileInputStream file = new FileInputStream(arguments[0])) {
      properties.load(file);
    }
    KafkaStreams streams = new KafkaStreams(topology(properties).build(), properties);
    CountDownLatch failed = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          failed.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.start();
    // Whoever started this process ends it.
    failed.await();
    System.exit(1);
  }

  private static StreamsBuilder topology(Properties properties) {
    Duration gap = Duration.ofMillis(Long.parseLong(properties.getProperty("gap.ms")));
    Duration grace = Duration.ofMillis(Long.parseLong(properties.getProperty("grace.ms")));
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(
            properties.getProperty("input"),
            Consumed.with(Serdes.String(), Serdes.ByteArray())
                .withTimestampExtractor(new FirstAppended()))
        .groupByKey(Grouped.with(Serdes.String(), Serdes.ByteArray()))
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(gap, grace))
        .count(Materialized.with(Serdes.String(), Serdes.Long()))
        .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()))
        .toStream()
        .map(
            (window, count) ->
                KeyValue.pair(
                    window.key(),
                    window.window().start() + "," + window.window().end() + "," + count))
        .to(properties.getProperty("output"), Produced.with(Serdes.String(), Serdes.String()));
    return builder;
  }

  /** A record's time: when it was first appended, as its header says. */
  public static final class FirstAppended implements TimestampExtractor {
    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
      byte[] value = record.headers().lastHeader(APPEND_TIME).value();
      return Long.parseLong(new String(value, StandardCharsets.US_ASCII)) / 1_000;
    }
  }
}
