import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/**
 * Reads every type with one parser, in the order of order.txt, and then records with them.
 *
 * <p>Arguments: the folder of types, and a file with a record a line: contract, blank, body in hex. Prints each record as
 * JSON, after checking that its bytes are whole and are the same when they are written again.
 */
public class ReadTypes {
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    Schema.Parser parser = new Schema.Parser();
    for (String name : Files.readAllLines(folder.resolve("order.txt"))) {
      parser.parse(folder.resolve(name).toFile());
    }
    for (String line : Files.readAllLines(Path.of(arguments[1]))) {
      String[] words = line.split(" ");
      Schema schema = parser.getTypes().get(words[0]);
      byte[] body = HexFormat.of().parseHex(words[1]);
      BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(body, null);
      Object record = new GenericDatumReader<>(schema).read(null, decoder);
      if (!decoder.isEnd()) {
        throw new IllegalStateException(words[0] + ": bytes are left over");
      }
      ByteArrayOutputStream again = new ByteArrayOutputStream();
      BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(again, null);
      new GenericDatumWriter<>(schema).write(record, encoder);
      encoder.flush();
      if (!Arrays.equals(body, again.toByteArray())) {
        throw new IllegalStateException(words[0] + ": other bytes when it is written again");
      }
      System.out.println(GenericData.get().toString(record));
    }
  }
}
