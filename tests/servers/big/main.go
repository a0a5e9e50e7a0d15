// Command big is a large executable: the clients of some large services, all of
// whose methods stay in it. It makes a client of each, prints how many objects
// its heap has, and waits for the end of stdin.
package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/chime"
	"github.com/aws/aws-sdk-go/service/cloudfront"
	"github.com/aws/aws-sdk-go/service/codecommit"
	"github.com/aws/aws-sdk-go/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go/service/configservice"
	"github.com/aws/aws-sdk-go/service/connect"
	"github.com/aws/aws-sdk-go/service/databasemigrationservice"
	"github.com/aws/aws-sdk-go/service/datazone"
	"github.com/aws/aws-sdk-go/service/deadline"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	"github.com/aws/aws-sdk-go/service/ec2"
	"github.com/aws/aws-sdk-go/service/gamelift"
	"github.com/aws/aws-sdk-go/service/glue"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/iot"
	"github.com/aws/aws-sdk-go/service/iotsitewise"
	"github.com/aws/aws-sdk-go/service/kendra"
	"github.com/aws/aws-sdk-go/service/lexmodelsv2"
	"github.com/aws/aws-sdk-go/service/lightsail"
	"github.com/aws/aws-sdk-go/service/mediaconvert"
	"github.com/aws/aws-sdk-go/service/medialive"
	"github.com/aws/aws-sdk-go/service/pinpoint"
	"github.com/aws/aws-sdk-go/service/quicksight"
	"github.com/aws/aws-sdk-go/service/rds"
	"github.com/aws/aws-sdk-go/service/redshift"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/sagemaker"
	"github.com/aws/aws-sdk-go/service/securityhub"
	"github.com/aws/aws-sdk-go/service/ssm"
)

var clients []any

func main() {
	s := session.Must(session.NewSession(aws.NewConfig().WithRegion("us-east-1")))
	clients = []any{
		chime.New(s), cloudfront.New(s), codecommit.New(s), cognitoidentityprovider.New(s),
		configservice.New(s), connect.New(s), databasemigrationservice.New(s),
		datazone.New(s), deadline.New(s), dynamodb.New(s), ec2.New(s), gamelift.New(s), glue.New(s),
		iam.New(s), iot.New(s), iotsitewise.New(s), kendra.New(s), lexmodelsv2.New(s), lightsail.New(s),
		mediaconvert.New(s), medialive.New(s), pinpoint.New(s), quicksight.New(s),
		rds.New(s), redshift.New(s), s3.New(s), sagemaker.New(s), securityhub.New(s),
		ssm.New(s),
	}
	methods := 0
	for _, client := range clients {
		methods += reflect.ValueOf(client).NumMethod()
		if len(os.Args) > 1 { // a name that the linker cannot know keeps every method
			fmt.Println(reflect.ValueOf(client).MethodByName(os.Args[1]))
		}
	}
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("{\"methods\":%d,\"objects\":%d}\n", methods, stats.HeapObjects)
	_, _ = io.ReadAll(os.Stdin)
}
