import java.io.File;
import org.codehaus.groovy.control.CompilationUnit;
import org.codehaus.groovy.control.CompilerConfiguration;
import org.codehaus.groovy.control.Phases;

/** Parses Groovy files as far as that goes without the classes that they use; fails with the compiler's words. */
public final class ParseGroovy {
    public static void main(String[] names) {
        CompilationUnit unit = new CompilationUnit(CompilerConfiguration.DEFAULT);
        for (String name : names) {
            unit.addSource(new File(name));
        }
        unit.compile(Phases.CONVERSION);
    }
}
